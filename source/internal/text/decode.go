package text

import (
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// invalid stands for what the encoding does not have. It is no UTF-8, so that the text is refused rather than sent with a gap.
const invalid = 0xFF

// decoder turns a piece of a file into UTF-8. It returns how much it used: what is left comes again with the next piece. The result
// may be a part of src.
type decoder interface {
	decode(dst, src []byte, last bool) (text []byte, used int)
}

// pieceSize is how much of a file is decoded at once.
const pieceSize = 16 << 10

// decoding is the text of a file in another encoding.
type decoding struct {
	below   io.Reader
	decoder decoder
	piece   [pieceSize]byte
	kept    int                 // bytes of piece that were not used
	buf     [3 * pieceSize]byte // memory for text, which no encoding makes longer
	text    []byte              // what is decoded and not yet read
	err     error
}

func (d *decoding) Read(p []byte) (int, error) {
	for len(d.text) == 0 && d.err == nil {
		var n int
		n, d.err = d.below.Read(d.piece[d.kept:])
		n += d.kept
		text, used := d.decoder.decode(d.buf[:0], d.piece[:n], d.err != nil)
		d.text = text
		d.kept = copy(d.piece[:], d.piece[used:n])
	}
	if len(d.text) == 0 {
		return 0, d.err
	}
	n := copy(p, d.text)
	d.text = d.text[n:]
	return n, nil
}

// singleByte decodes an encoding in which each byte is a character, and those of ASCII are the same.
type singleByte struct{ table *[256]glyph }

// glyph is a character in UTF-8.
type glyph struct {
	bytes [3]byte
	size  uint8
}

func (s singleByte) decode(dst, src []byte, _ bool) (text []byte, used int) {
	for at := 0; ; {
		plain := asciiPrefix(src[at:])
		if plain == len(src) {
			return src, len(src)
		}
		dst = append(dst, src[at:at+plain]...)
		if at += plain; at == len(src) {
			return dst, at
		}
		g := &s.table[src[at]]
		dst = append(dst, g.bytes[:g.size]...)
		at++
	}
}

// asciiPrefix returns how many bytes at the beginning are ASCII.
func asciiPrefix(b []byte) int {
	n := 0
	for len(b)-n >= 8 && binary.LittleEndian.Uint64(b[n:])&0x8080808080808080 == 0 {
		n += 8
	}
	for n < len(b) && b[n] < utf8.RuneSelf {
		n++
	}
	return n
}

// wide decodes UTF-16.
type wide struct{ order binary.ByteOrder }

func (w wide) decode(dst, src []byte, last bool) (text []byte, used int) {
	for len(src)-used >= 2 {
		r := rune(w.order.Uint16(src[used:]))
		size := 2
		if utf16.IsSurrogate(r) {
			if len(src)-used < 4 && !last {
				return dst, used
			}
			r, size = w.pair(r, src[used+2:])
		}
		used += size
		if r < 0 {
			dst = append(dst, invalid)
			continue
		}
		dst = utf8.AppendRune(dst, r)
	}
	if last && used < len(src) {
		return append(dst, invalid), len(src)
	}
	return dst, used
}

// pair returns the character of two surrogates and their size, or -1 and the size of the first if they are no pair.
func (w wide) pair(first rune, rest []byte) (r rune, size int) {
	if len(rest) >= 2 {
		if r := utf16.DecodeRune(first, rune(w.order.Uint16(rest))); r != utf8.RuneError {
			return r, 4
		}
	}
	return -1, 2
}
