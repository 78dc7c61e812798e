// Package registry runs five built gateways with the shipped production configuration on a real PostgreSQL and ClickHouse,
// a hundred agents on them, and what goes wrong in the life of a fleet.
package registry
