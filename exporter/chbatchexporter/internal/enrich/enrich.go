// Package enrich tells more about clients than NGINX logs: browser, system and device from the user agent, and the place
// from the address. Answers are cached, for the same clients come again and again.
package enrich

import (
	"fmt"
	"net/netip"
	"strings"

	useragent "github.com/medama-io/go-useragent"
	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// cacheSize is how many user agents, and how many addresses, are remembered at least.
const cacheSize = 20_000

// Enricher implements rows.Enricher. Make one with New, and Close it.
type Enricher struct {
	parser *useragent.Parser
	agents *cache[rows.UserAgent]
	geo    *maxminddb.Reader
	places *cache[rows.Location]
}

// New opens a MaxMind database of cities, unless its path is empty. userAgents switches the other half on.
func New(userAgents bool, database string) (*Enricher, error) {
	e := &Enricher{agents: newCache[rows.UserAgent](cacheSize), places: newCache[rows.Location](cacheSize)}
	if userAgents {
		e.parser = useragent.NewParser()
	}
	if database != "" {
		var err error
		if e.geo, err = maxminddb.Open(database); err != nil {
			return nil, fmt.Errorf("open geoip_database: %w", err)
		}
	}
	return e, nil
}

// Close closes the database.
func (e *Enricher) Close() error {
	if e.geo == nil {
		return nil
	}
	return e.geo.Close()
}

// UserAgent implements rows.Enricher.
func (e *Enricher) UserAgent(ua string) rows.UserAgent {
	if e.parser == nil {
		return rows.UserAgent{}
	}
	if u, ok := e.agents.get(ua); ok {
		return u
	}
	u := e.parse(strings.Clone(ua))
	e.agents.put(ua, u)
	return u
}

func (e *Enricher) parse(ua string) rows.UserAgent {
	p := e.parser.Parse(ua)
	return rows.UserAgent{
		Bot: p.IsBot(), Browser: p.Browser().String(), BrowserVersion: p.BrowserVersion(), OS: p.OS().String(),
		OSVersion: osVersion(ua), Device: p.Device().String(),
	}
}

// osMarks stand before the version of an operating system.
var osMarks = []string{"Windows NT ", "Android ", "iPhone OS ", "CPU OS ", "Mac OS X "}

// osVersion finds the version, which the library does not tell.
func osVersion(ua string) string {
	for _, mark := range osMarks {
		_, rest, found := strings.Cut(ua, mark)
		if !found {
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '_' })
		if end < 0 {
			end = len(rest)
		}
		return strings.ReplaceAll(rest[:end], "_", ".")
	}
	return ""
}

// city is the part of a record of a MaxMind database that rows have columns for. City, ISP and Enterprise databases
// have these names.
type city struct {
	Country struct {
		ISO   string            `maxminddb:"iso_code"`
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"country"`
	City struct {
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"city"`
	Subdivisions []struct {
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"subdivisions"`
	Location struct {
		Latitude  float64 `maxminddb:"latitude"`
		Longitude float64 `maxminddb:"longitude"`
		Timezone  string  `maxminddb:"time_zone"`
	} `maxminddb:"location"`
	Traits struct {
		ISP string `maxminddb:"isp"`
	} `maxminddb:"traits"`
	ISP string `maxminddb:"isp"`
}

// Address implements rows.Enricher.
func (e *Enricher) Address(ip string) rows.Location {
	if e.geo == nil {
		return rows.Location{}
	}
	if l, ok := e.places.get(ip); ok {
		return l
	}
	l := e.locate(ip)
	e.places.put(ip, l)
	return l
}

func (e *Enricher) locate(ip string) rows.Location {
	addr, err := netip.ParseAddr(ip)
	if err != nil { // a unix socket, or not an address at all
		return rows.Location{}
	}
	var c city
	if err := e.geo.Lookup(addr.Unmap()).Decode(&c); err != nil {
		return rows.Location{}
	}
	l := rows.Location{
		Country: c.Country.Names["en"], CountryCode: c.Country.ISO, City: c.City.Names["en"], Timezone: c.Location.Timezone,
		Latitude: c.Location.Latitude, Longitude: c.Location.Longitude, ISP: c.Traits.ISP,
	}
	if l.ISP == "" {
		l.ISP = c.ISP
	}
	if len(c.Subdivisions) > 0 {
		l.Region = c.Subdivisions[0].Names["en"]
	}
	return l
}
