package chbatchexporter

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// replayer puts dead letters of a signal's tables into its queue.
type replayer struct {
	dir    string
	log    *zap.Logger
	queue  *blockqueue.Queue
	router *router
	tables []string
	wg     sync.WaitGroup
	cancel context.CancelFunc
}

// tablesOf are the tables that a signal's exporter writes.
func tablesOf(s pipeline.Signal) []string {
	switch s {
	case pipeline.SignalLogs:
		return []string{rows.AccessLogs, rows.ErrorLogs, rows.OTelLogs}
	case pipeline.SignalTraces:
		return []string{rows.OTelTraces}
	}
	return []string{
		rows.NginxMetrics, rows.SystemMetrics, rows.GatewayMetrics, rows.OTelGauge, rows.OTelSum, rows.OTelHistogram,
		rows.OTelExpHist, rows.OTelSummary,
	}
}

// replayingExt marks a file that is being replayed, for rows that are rejected again get files of their own.
const replayingExt = ".replaying"

// start replays in the background what is there now.
func (r *replayer) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.wg.Go(func() {
		if err := r.replayAll(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("Dead letters could not be replayed", zap.Error(err))
		}
	})
}

func (r *replayer) stop() {
	r.cancel()
	r.wg.Wait()
}

func (r *replayer) replayAll(ctx context.Context) error {
	entries, err := os.ReadDir(r.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		// A file that an earlier run was replaying is a letter like any other.
		file := filepath.Join(r.dir, strings.TrimSuffix(e.Name(), replayingExt))
		if ext := filepath.Ext(file); ext != nativeExt && ext != rawExt {
			continue
		}
		if err := r.replay(ctx, file, filepath.Join(r.dir, e.Name())); err != nil {
			r.log.Error("A dead letter could not be replayed", zap.String("file", e.Name()), zap.Error(err))
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// replay of the file that is at path now.
func (r *replayer) replay(ctx context.Context, file, path string) error {
	about := strings.TrimSuffix(file, filepath.Ext(file)) + letterExt
	l, block, err := readLetter(about, path, filepath.Ext(file))
	if err != nil || !slices.Contains(r.tables, l.Table) {
		return err
	}
	replaying := file + replayingExt
	if err := os.Rename(path, replaying); err != nil {
		return err
	}
	err = r.queue.Replay(ctx, l.Table, r.router.index(l.Shard), l.ID, block)
	switch {
	case err == nil:
		r.log.Info("A dead letter is stored", zap.String("table", l.Table), zap.Int("rows", block.Rows), zap.String("id", l.ID))
		return errors.Join(os.Remove(replaying), os.Remove(about))
	case errors.Is(err, blockqueue.ErrRejected):
		return r.forget(file, about, replaying)
	}
	return errors.Join(err, os.Rename(replaying, file))
}

// forget removes a file whose rows are stored, or in newer files.
func (r *replayer) forget(file, about, replaying string) error {
	if _, err := os.Stat(file); err == nil {
		return os.Remove(replaying) // the description belongs to the newer file of that name
	}
	return errors.Join(os.Remove(replaying), os.Remove(about))
}

func readLetter(about, path, ext string) (letter, *nativeblock.Sealed, error) {
	var l letter
	text, err := os.ReadFile(about)
	if err != nil {
		return l, nil, err
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return l, nil, err
	}
	if ext == rawExt {
		var block *nativeblock.Sealed
		l.Table, l.Shard, l.ID, block, err = blockqueue.ReadEntry(data)
		return l, block, err
	}
	comp, err := nativeblock.NewCompressor(nativeblock.LZ4)
	if err != nil {
		return l, nil, err
	}
	block, err := nativeblock.ParseNative(data, comp)
	return l, block, err
}
