package logline

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// parseInt reads a decimal number, or the whole part of one with a fraction.
func parseInt(b []byte) (int64, bool) {
	if len(b) > 0 && len(b) <= 18 {
		var n int64
		for i, c := range b {
			if c < '0' || c > '9' {
				return slowInt(b, i)
			}
			n = n*10 + int64(c-'0')
		}
		return n, true
	}
	return slowInt(b, 0)
}

func slowInt(b []byte, at int) (int64, bool) {
	if at > 0 && b[at] == '.' {
		b = b[:at]
	}
	n, err := strconv.ParseInt(view(b), 10, 64)
	return n, err == nil
}

// ParseSeconds reads a duration in seconds, as NGINX writes it. It refuses what is negative or not finite.
func ParseSeconds(b []byte) (float64, bool) {
	whole, fraction, digits := int64(0), int64(0), -1
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9' && digits < 0:
			whole = whole*10 + int64(c-'0')
		case c >= '0' && c <= '9':
			fraction = fraction*10 + int64(c-'0')
			digits++
		case c == '.' && digits < 0:
			digits = 0
		default:
			return slowSeconds(b)
		}
		if i >= 15 {
			return slowSeconds(b)
		}
	}
	if len(b) == 0 {
		return 0, false
	}
	if digits <= 0 {
		return float64(whole), true
	}
	scale := powersOfTen[digits]
	return float64(whole*scale+fraction) / float64(scale), true
}

var powersOfTen = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16}

func slowSeconds(b []byte) (float64, bool) {
	f, err := strconv.ParseFloat(view(b), 64)
	return f, err == nil && f >= 0 && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// view lends b as a string for the duration of a call.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// maxSeconds is the last whole second whose nanoseconds fit an int64 (April 2262).
const maxSeconds = math.MaxInt64/1_000_000_000 - 1

// parseEpoch reads "1767225600.123".
func parseEpoch(b []byte) (nanos int64, precise bool) {
	whole, fraction, precise := bytes.Cut(b, []byte("."))
	seconds, ok := parseInt(whole)
	if !ok || seconds <= 0 || seconds > maxSeconds {
		return 0, false
	}
	nanos, ok = parseFraction(fraction)
	if !ok {
		return 0, false
	}
	return seconds*1e9 + nanos, precise
}

// parseFraction reads the digits of a second's fraction as nanoseconds.
func parseFraction(b []byte) (int64, bool) {
	var n int64
	for i, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if i < 9 {
			n = n*10 + int64(c-'0')
		}
	}
	if len(b) < 9 {
		n *= powersOfTen[9-len(b)]
	}
	return n, true
}

// clock remembers the minute of the last time, because the next line's is mostly the same.
type clock struct {
	minute  [minuteLength]byte
	seconds int64
}

const minuteLength = len("2026-01-02T15:04:")

// parseRFC3339 reads "2026-01-02T15:04:05.123+01:00".
func (c *clock) parseRFC3339(b []byte) (nanos int64, precise bool) {
	const layout = "2026-01-02T15:04:05"
	if len(b) <= len(layout) {
		return 0, false
	}
	second := digits(b[minuteLength:len(layout)])
	if string(b[:minuteLength]) != string(c.minute[:]) && !c.setMinute(b[:minuteLength]) || second < 0 || second > 60 {
		return 0, false
	}
	b = b[len(layout):]
	if b[0] == '.' {
		end := 1
		for end < len(b) && b[end] >= '0' && b[end] <= '9' {
			end++
		}
		nanos, _ = parseFraction(b[1:end])
		precise, b = end > 1, b[end:]
	}
	offset, ok := parseZone(b)
	seconds := c.seconds + int64(second) - offset
	if !ok || seconds <= 0 {
		return 0, false
	}
	return seconds*1e9 + nanos, precise
}

func (c *clock) setMinute(b []byte) bool {
	if b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return false
	}
	seconds, ok := unixSeconds(digits(b[:4]), digits(b[5:7]), digits(b[8:10]), digits(b[11:13]), digits(b[14:16]), 0)
	if ok {
		copy(c.minute[:], b)
		c.seconds = seconds
	}
	return ok
}

var months = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// parseTimeLocal reads "02/Jan/2026:15:04:05 +0100". It returns 0 for anything else.
func parseTimeLocal(b []byte) int64 {
	const layout = "02/Jan/2006:15:04:05 "
	if len(b) <= len(layout) || b[2] != '/' || b[6] != '/' || b[11] != ':' || b[14] != ':' || b[17] != ':' || b[20] != ' ' {
		return 0
	}
	month := 0
	for i, name := range months {
		if string(b[3:6]) == name {
			month = i + 1
		}
	}
	seconds, ok := unixSeconds(digits(b[7:11]), month, digits(b[:2]), digits(b[12:14]), digits(b[15:17]), digits(b[18:20]))
	offset, zone := parseZone(b[len(layout):])
	if seconds -= offset; !ok || !zone || seconds <= 0 {
		return 0
	}
	return seconds * 1e9
}

// digits reads a number that has only digits, or returns a value that is out of any range here.
func digits(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// parseZone reads "Z", "+01:00" or "+0100" as seconds east of UTC.
func parseZone(b []byte) (int64, bool) {
	if len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	if len(b) == 6 && b[3] == ':' {
		b = []byte{b[0], b[1], b[2], b[4], b[5]}
	}
	if len(b) != 5 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hours, minutes := digits(b[1:3]), digits(b[3:5])
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset := int64(hours*3600 + minutes*60)
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// unixSeconds counts the seconds since 1970 of a date in the Gregorian calendar, UTC.
func unixSeconds(year, month, day, hour, minute, second int) (int64, bool) {
	if year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > 31 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return 0, false
	}
	// Years start in March, so that a leap day is the last day of its year.
	if month <= 2 {
		year, month = year-1, month+12
	}
	days := 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1
	const until1970 = 719468
	return int64(days-until1970)*86400 + int64(hour*3600+minute*60+second), true
}
