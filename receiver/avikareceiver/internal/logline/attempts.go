package logline

import "bytes"

// NextAttempt splits off the first entry of a list of upstream attempts: entries are separated by ", " and, after an
// internal redirect, by " : ". The spaces belong to the separators, because addresses hold colons themselves.
func NextAttempt(list []byte) (entry, rest []byte, more bool) {
	for i := 0; i+1 < len(list); i++ {
		switch {
		case list[i] == ',' && list[i+1] == ' ':
			return bytes.TrimSpace(list[:i]), list[i+2:], true
		case list[i] == ' ' && list[i+1] == ':' && i+2 < len(list) && list[i+2] == ' ':
			return bytes.TrimSpace(list[:i]), list[i+3:], true
		}
	}
	return bytes.TrimSpace(list), nil, false
}

// ParseStatus reads the status of an attempt; "-" and anything that is no status is 0.
func ParseStatus(entry []byte) int64 {
	n, ok := parseInt(entry)
	if !ok || n < 0 || n > maxStatus {
		return 0
	}
	return n
}

// ParseDuration reads the time of an attempt in seconds; "-" and anything that is no time is -1.
func ParseDuration(entry []byte) float64 {
	f, ok := ParseSeconds(entry)
	if !ok {
		return -1
	}
	return f
}
