package cell

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Decimal is a number with all the digits it was written with: 0.DIGITS × 10^exp. Neither the first nor the last digit is 0. Zero
// has no digits.
type Decimal struct {
	negative bool
	digits   []byte // may include the point
	count    int    // number of digits
	exp      int
}

// maxExponent limits the exponent, so that additions to it are safe.
const maxExponent = 1_000_000

// ParseDecimal reads a number as databases and JSON write it. ok is false for anything else, such as NaN.
func ParseDecimal(text []byte) (d Decimal, ok bool) {
	rest := text
	if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
		d.negative = rest[0] == '-'
		rest = rest[1:]
	}
	mantissa := rest
	if i := bytes.IndexAny(rest, "eE"); i >= 0 {
		var err error
		mantissa = rest[:i]
		if d.exp, err = strconv.Atoi(string(rest[i+1:])); err != nil || d.exp > maxExponent || d.exp < -maxExponent {
			return Decimal{}, false
		}
	}
	first, last, point, seen := -1, -1, len(mantissa), 0
	for i, c := range mantissa {
		switch {
		case c == '.' && point == len(mantissa):
			point = i
			continue
		case c < '0' || c > '9':
			return Decimal{}, false
		case c != '0' && first < 0:
			first = i
		}
		if seen++; c != '0' {
			last = i
		}
	}
	if seen == 0 {
		return Decimal{}, false
	}
	if first < 0 {
		return Decimal{}, true
	}
	d.digits, d.count = mantissa[first:last+1], last+1-first
	if first < point {
		d.exp += point - first
		if point < last {
			d.count--
		}
	} else {
		d.exp -= first - point - 1
	}
	return d, true
}

// exact reports whether f, the nearest double without a sign, has the same digits as the number.
func (d Decimal) exact(f float64) bool {
	const always = 15 // a double holds any 15 digits
	if d.count <= always && d.exp > -300 && d.exp < 300 {
		return true
	}
	var buf [32]byte
	shortest, _ := ParseDecimal(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
	if shortest.exp != d.exp || shortest.count != d.count {
		return false
	}
	i := 0
	for _, c := range d.digits {
		if c == '.' {
			continue
		}
		if shortest.digits[i] == '.' {
			i++
		}
		if shortest.digits[i] != c {
			return false
		}
		i++
	}
	return true
}

// equal reports whether both are the same number.
func (d Decimal) equal(e Decimal) bool {
	var a, b [64]byte
	return d.count == e.count && d.exp == e.exp && bytes.Equal(d.Append(a[:0]), e.Append(b[:0]))
}

// Append appends the number with all its digits in the form of AppendFloat.
func (d Decimal) Append(dst []byte) []byte {
	if d.count == 0 {
		return append(dst, '0')
	}
	if d.negative {
		dst = append(dst, '-')
	}
	point, exponent := d.exp, 0
	if d.exp < -5 || d.exp > 21 {
		point, exponent = 1, d.exp-1
	}
	if point <= 0 {
		dst = append(dst, '0', '.')
		for range -point {
			dst = append(dst, '0')
		}
	}
	n := 0
	for _, c := range d.digits {
		if c == '.' {
			continue
		}
		if n == point && n > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, c)
		n++
	}
	for ; n < point; n++ {
		dst = append(dst, '0')
	}
	if exponent == 0 {
		return dst
	}
	sign := byte('+')
	if exponent < 0 {
		sign, exponent = '-', -exponent
	}
	if dst = append(dst, 'e', sign); exponent < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(exponent), 10)
}

// jsonNumber returns the number in JSON with all its digits, as it was written if that is JSON.
func (d Decimal) jsonNumber(text []byte) json.Number {
	if !json.Valid(text) {
		text = d.Append(nil)
	}
	return json.Number(text)
}
