// Package servers runs what deploy/ says about other people's servers on the servers themselves: ClickHouse, PostgreSQL
// and NGINX load the shipped files, every value is read back, and the built gateway works with them.
package servers
