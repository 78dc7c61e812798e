// Package fleetpage serves the fleet page: embedded files without a build step, which use the REST interface as any client does.
package fleetpage

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed static
var static embed.FS

// policy lets the page use its own files and its own server, and no script make HTML of text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// file is one answer, as it is and compressed.
type file struct {
	kind          string
	plain, packed []byte
}

type page struct {
	// version is the hash of all files. Their addresses begin with it, so that browsers keep them until it changes.
	version string
	files   map[string]file
}

// Handler serves the page at / and its files below /assets/.
func Handler() (http.Handler, error) { return load() }

// load reads and compresses the files once.
var load = sync.OnceValues(func() (*page, error) {
	root, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("open the page's files: %w", err)
	}
	p := &page{files: map[string]file{}}
	contents, err := read(root)
	if err != nil {
		return nil, err
	}
	p.version = version(contents)
	contents["index.html"] = bytes.ReplaceAll(contents["index.html"], []byte("ASSETS"), []byte("assets/"+p.version))
	for name, content := range contents {
		if p.files[name], err = pack(name, content); err != nil {
			return nil, err
		}
	}
	return p, nil
})

func read(root fs.FS) (map[string][]byte, error) {
	contents := map[string][]byte{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		contents[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the page's files: %w", err)
	}
	return contents, nil
}

func version(contents map[string][]byte) string {
	var all [sha256.Size]byte
	for name, content := range contents {
		sum := sha256.Sum256(append([]byte(name+"\x00"), content...))
		for i := range all { // in any order the same
			all[i] ^= sum[i]
		}
	}
	return hex.EncodeToString(all[:6])
}

func pack(name string, content []byte) (file, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return file{}, fmt.Errorf("compress %q: %w", name, err)
	}
	return file{kind: kinds[path.Ext(name)], plain: content, packed: packed.Bytes()}, nil
}

// kinds are fixed here, because those of the mime package depend on the machine.
var kinds = map[string]string{
	".html": mime.FormatMediaType("text/html", map[string]string{"charset": "utf-8"}),
	".css":  mime.FormatMediaType("text/css", map[string]string{"charset": "utf-8"}),
	".js":   mime.FormatMediaType("text/javascript", map[string]string{"charset": "utf-8"}),
	".svg":  "image/svg+xml",
}

// ServeHTTP implements http.Handler.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, known := p.name(r.URL.Path)
	f, found := p.files[name]
	h := w.Header()
	if !found {
		http.NotFound(w, r)
		return
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if known {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	content := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		content = f.packed
	}
	_, _ = w.Write(content) // the client may be gone
}

// name is the file at a path, and whether the path names its version. During a rolling update a page may ask a gateway of another
// version for its files: it gets those that are here, and does not keep them.
func (p *page) name(at string) (name string, known bool) {
	if at == "/" {
		return "index.html", false
	}
	rest, ok := strings.CutPrefix(at, "/assets/")
	if !ok {
		return "", false
	}
	version, name, _ := strings.Cut(rest, "/")
	return name, version == p.version
}
