// Package sizing computes what a fleet of NGINX agents needs: the formulas of docs/sizing.md, which the Helm chart
// deploy/helm/avika computes in its templates too. tests/helm compares the two.
package sizing
