// Package js does to requests what JavaScript does in Owlat's handlers: it parses JSON, compares and prints values, and takes
// targets, paths and queries apart, odd cases included. It knows nothing of Owlat.
package js
