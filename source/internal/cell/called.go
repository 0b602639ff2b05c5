package cell

// Called returns a kind of values in words.
func Called(k Kind) string {
	switch k {
	case Moment:
		return "times"
	case Day:
		return "dates"
	case Integer:
		return "whole numbers"
	case Number:
		return "numbers with a fraction"
	case Boolean, Bits:
		return "bits"
	case Binary:
		return "binary data"
	}
	return "text"
}
