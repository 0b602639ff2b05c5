// Package static has the page's files that are the same for everybody: its style, its script and its icon.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"owlatsync/internal/page/chart"
)

//go:embed *.css *.js *.svg
var files embed.FS

// Addresses returns the addresses of the files by their names, such as page_css. An address has a part of the file's hash, so it never changes its content.
func Addresses() map[string]string {
	addresses, _ := read()
	return addresses
}

// read returns the addresses of the files by their names, and their contents by what of the addresses is their own.
var read = sync.OnceValues(func() (addresses map[string]string, contents map[string][]byte) {
	addresses, contents = make(map[string]string), make(map[string][]byte)
	all, err := files.ReadDir(".")
	if err != nil {
		panic(err) // it is embedded
	}
	for _, f := range all {
		text, err := files.ReadFile(f.Name())
		if err != nil {
			panic(err)
		}
		if f.Name() == "page.css" {
			text = append(text, chart.Style...)
		}
		sum := sha256.Sum256(text)
		name, ext := strings.TrimSuffix(f.Name(), path.Ext(f.Name())), path.Ext(f.Name())
		hashed := name + "." + hex.EncodeToString(sum[:6]) + ext
		addresses[strings.ReplaceAll(f.Name(), ".", "_")], contents[hashed] = "/static/"+hashed, text
	}
	return addresses, contents
})

// kinds are the content types of the files by the ends of their names.
var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// Serve answers requests for the files, of which the path's value "file" names one.
func Serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	_, contents := read()
	text, there := contents[name]
	if !there {
		http.Error(w, "There is no such file. Load the page again.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", kinds[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text)
}
