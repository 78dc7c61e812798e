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
	n := int(long(60_000, 600_000))
	wait := w.fleet(ingest, "--agents", "20", "--rate", itoa(n/20/int(long(20, 120))), "--total", itoa(n), "--drain", "120s")
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
	wait()
	w.exactlyOnce(n)
}
