package queue

// Groups returns the places of what has the same key, in their order: what is to be done one after the other.
func Groups[In any](in []In, key func(In) string) [][]int {
	groups := make([][]int, 0, len(in))
	at := make(map[string]int, len(in))
	for i := range in {
		k := key(in[i])
		g, known := at[k]
		if !known {
			g = len(groups)
			at[k] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}
