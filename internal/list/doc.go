// Package list sends one request for each person of a list: it reads the list, remembers in a journal beside it what became of
// each, and goes on where it was cut off. It knows no command line and shows nothing.
package list
