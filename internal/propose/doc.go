// Package propose finds the table that most likely holds the people to sync, and proposes a query and a mapping for it as a commented
// configuration file. Everything in it is a pure function of what package inspect has found.
package propose
