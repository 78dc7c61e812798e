package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/floor"
	"github.com/avika-ai/avika-collector/tests/bench/internal/load"
)

// blockRows is how many rows a block of the floor of inserting has: the guide's CH_LOG_BATCH_SIZE.
const blockRows = 50_000

// takeBlock has the gateway store one block of rows, takes it out of the table, and ends the gateway.
func (r *run) takeBlock(ctx context.Context) error {
	g, err := load.StartAgents(r.opts.Root, "agentsim", "--gateway", r.stack.Collectors[0].AgentAddr,
		"--agents", "100", "--rate", "max", "--total", fmt.Sprint(blockRows))
	if err != nil {
		return err
	}
	if _, err := g.Wait(ctx); err != nil {
		return err
	}
	table := &sampler{stack: r.stack, table: "access_logs"}
	for stored := uint64(0); stored < blockRows && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		stored, _ = table.stored(ctx)
	}
	if err := floor.TakeBlock(ctx, "http://"+r.stack.ClickHouse.HTTPAddr(), r.table.Name, r.blockFile()); err != nil {
		return err
	}
	if err := r.stack.StopCollectors(); err != nil {
		return err
	}
	if err := r.stack.ClickHouse.Conn.Exec(ctx, "TRUNCATE TABLE "+r.table.Name); err != nil {
		return err
	}
	return r.stack.ClickHouse.Conn.Exec(ctx, "TRUNCATE TABLE system.part_log")
}

func (r *run) blockFile() string { return filepath.Join(r.dir, "block.native") }

// insertBlocks starts this program again, to insert the block at the rate of the scenario.
func (r *run) insertBlocks() ([]*load.Generator, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	b, err := json.Marshal(floor.Insert{
		URL: "http://" + r.stack.ClickHouse.HTTPAddr(), Table: r.table.Name, File: r.blockFile(), Rows: blockRows,
		Total: int(r.expected()), Rate: max(0, r.Rate*float64(r.Agents)),
	})
	if err != nil {
		return nil, err
	}
	g, err := load.Start("inserter", self, floor.InsertCommand, string(b))
	return []*load.Generator{g}, err
}
