// Avika-sizing says what a fleet of NGINX agents takes: gateways, memory, disk. The formulas are in docs/sizing.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "avika-sizing:", err)
	os.Exit(2)
}
