package translate

import (
	"strconv"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/logline"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

// Values that most records share are made once.

// method is a known HTTP method. They are few, and the first ones the most frequent: a search costs less than a map.
type method struct {
	name  string
	value pdataslab.Value
}

// protocol is what NGINX writes, and the version that it means.
type protocol struct {
	name    string
	version pdataslab.Value
}

const otherMethod = "_OTHER"

var (
	constants pdataslab.Slab
	methods   = makeMethods("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY", otherMethod)
	statuses  = makeStatuses()
	protocols = []protocol{
		{"HTTP/1.1", constants.String("1.1")}, {"HTTP/2.0", constants.String("2")}, {"HTTP/3.0", constants.String("3")}, {"HTTP/1.0", constants.String("1.0")},
	}
	schemeHTTP, schemeHTTPS = constants.String("http"), constants.String("https")
)

// maxKnownStatus bounds the statuses that have a value ready.
const maxKnownStatus = 600

// status is a status as a number, as text, and as the list of one attempt.
type status struct {
	number, text, list pdataslab.Value
}

func makeMethods(names ...string) []method {
	known := make([]method, len(names))
	for i, name := range names {
		known[i] = method{name, constants.String(name)}
	}
	return known
}

// findMethod returns _OTHER, and false, for one that is not known.
func findMethod(name []byte) (*method, bool) {
	for i := range methods {
		if methods[i].name == string(name) {
			return &methods[i], true
		}
	}
	return &methods[len(methods)-1], false
}

func makeStatuses() *[maxKnownStatus]status {
	var known [maxKnownStatus]status
	for i := range known {
		known[i] = status{number: constants.Int(int64(i)), text: constants.String(strconv.Itoa(i))}
		var only []pdataslab.Value
		known[i].list, only = constants.Array(1)
		only[0] = known[i].number
	}
	return &known
}

// readMethod takes the method; one that is not known is kept as the original.
func (r *request) readMethod(t *Translator, entry *wire.LogEntry) {
	name := first(entry.Bytes(entry.RequestMethod), t.access.Bytes(logline.Method))
	if len(name) == 0 {
		return
	}
	known, ok := findMethod(name)
	if !ok {
		r.originalMethod = t.either(entry.RequestMethod, logline.Method)
	}
	r.method = *known
}

func (t *Translator) statusValue(code int64) pdataslab.Value {
	if code >= 0 && code < maxKnownStatus {
		return statuses[code].number
	}
	return t.slab.Int(code)
}

// putStatus puts a status that is not absent, and the error type from a threshold on.
func (t *Translator) putStatus(code, failure int64) {
	if code <= 0 {
		return
	}
	t.slab.Put("http.response.status_code", t.statusValue(code))
	if code < failure {
		return
	}
	if code < maxKnownStatus {
		t.slab.Put("error.type", statuses[code].text)
		return
	}
	t.slab.Put("error.type", t.slab.String(strconv.FormatInt(code, 10)))
}
