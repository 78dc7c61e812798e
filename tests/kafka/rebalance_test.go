//go:build realkafka

package kafka

import (
	"testing"
	"time"
)

// TestWritersJoinAndLeave under load, some by SIGKILL, some gracefully, and one that is frozen and comes back as a zombie: it lost its
// partitions meanwhile, and goes on with the inserts that it had begun.
func TestWritersJoinAndLeave(t *testing.T) {
	t.Parallel()
	w := newWay(t)
	ingest := w.ingest()
	first, second := w.writer(), w.newWriter()
	stop := w.fleet(ingest, 20, int(long(150, 250)))
	second.Start()
	time.Sleep(2 * time.Second)
	first.Kill()
	time.Sleep(long(time.Second, 10*time.Second))
	first.Start()
	time.Sleep(2 * time.Second)
	second.Stop()
	second.Start()
	time.Sleep(2 * time.Second)
	second.Pause()
	time.Sleep(8 * time.Second) // longer than its session
	second.Resume()
	time.Sleep(time.Second)
	first.Restart()
	w.grows()
	w.exactlyOnce(stop())
}
