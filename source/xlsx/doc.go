// Package xlsx reads a sheet of a workbook (.xlsx, as Excel, LibreOffice and Google Sheets write it) as the rows of a source. It reads
// row after row: only the texts that cells share are kept in memory. It needs nothing beyond the standard library.
//
// A workbook that is cut off, damaged or changed meanwhile ends a scan with an error, never as a short success.
package xlsx
