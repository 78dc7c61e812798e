package blockqueue

import (
	"context"
	"slices"
	"time"
)

func (q *Queue) isDraining() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.draining
}

// finished tells whether a shutdown has nothing left to do once open blocks are sealed: with storage what is not inserted is on disk.
func (q *Queue) finished() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.inflight > 0 || len(q.sealed) > 0 {
		return false
	}
	if q.store != nil {
		return true
	}
	for _, l := range q.order {
		if len(l.chunks) > 0 || len(l.retrying) > 0 {
			return false
		}
	}
	return true
}

// Shutdown refuses new rows, inserts what waits in memory until the drain timeout or ctx ends, and stops. With storage,
// attempts under way may end, everything else stays on disk.
func (q *Queue) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, q.set.DrainTimeout)
	defer cancel()
	q.gate.close()
	q.waitForCallers(ctx)
	q.mu.Lock()
	q.draining = true
	for _, l := range q.order {
		l.notBefore = time.Time{}
		for _, ins := range l.retrying {
			ins.next = time.Time{}
		}
	}
	q.mu.Unlock()
	q.wakeUp()
	select {
	case <-q.drained:
	case <-ctx.Done():
	}
	q.cancel()
	<-q.drained
	q.attempts.Wait()
	return q.close(ctx)
}

// waitForCallers lets calls finish that are appending right now.
func (q *Queue) waitForCallers(ctx context.Context) {
	for q.encoding.Load() > 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// close deals with what is left.
func (q *Queue) close(ctx context.Context) error {
	q.sealDue(time.Now()) // run may have ended before it came to that
	if q.store != nil {
		q.commit()
		q.settleLeft()
		return q.store.close(context.WithoutCancel(ctx))
	}
	for _, ins := range q.takeDivided() {
		q.release(ins.chunks, ins.division.buryRest(ErrClosed), 0)
	}
	left := q.settleLeft()
	for _, c := range left {
		_ = q.bury(c.lane, c.id, c.block, ErrClosed) // logged and counted there
	}
	q.release(left, ErrClosed, 0)
	return nil
}

// takeDivided returns the inserts of which some rows are stored or buried already.
func (q *Queue) takeDivided() (out []*insert) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.order {
		l.retrying = slices.DeleteFunc(l.retrying, func(ins *insert) bool {
			if ins.division != nil {
				out = append(out, ins)
			}
			return ins.division != nil
		})
	}
	return out
}

// settleLeft returns the chunks that are not inserted. Nobody waits for them any more.
func (q *Queue) settleLeft() []*chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.sealed
	for _, l := range q.order {
		l.eachWaiting(func(c *chunk) { left = append(left, c) })
		l.chunks, l.retrying = nil, nil
	}
	q.sealed = nil
	for _, c := range left {
		settleAll(c.calls, ErrClosed)
		c.calls = nil
	}
	return left
}
