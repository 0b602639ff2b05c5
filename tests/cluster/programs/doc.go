// Package programs has what runs beside a test and ends with it, however that ends: PostgreSQL, and owlat-sync, as it is or other than it
// should be.
package programs
