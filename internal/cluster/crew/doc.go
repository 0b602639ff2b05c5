// Package crew is what a node knows of the others and of itself: who lives, who has room for a home, and at which nodes something of a
// deployment did not work, so that their room does not count for it. What it knows comes from the rows of the nodes in PostgreSQL.
package crew
