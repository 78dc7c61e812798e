package floor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

// InsertCommand is the command of this program that inserts blocks; its argument is an Insert as JSON.
const InsertCommand = "insert-floor"

// Insert is a block that is sent again and again.
type Insert struct {
	URL   string  `json:"url"`   // of ClickHouse's HTTP interface
	Table string  `json:"table"` // database.table
	File  string  `json:"file"`  // the block: Native, compressed as ClickHouse does
	Rows  int     `json:"rows"`  // of the block
	Total int     `json:"total"` // rows to insert
	Rate  float64 `json:"rate"`  // rows a second; 0: as fast as they go
}

// Inserted is what that command says in the end.
type Inserted struct {
	Rows uint64 `json:"rows"`
}

// inserters is how many inserts are under way at once, as many as ch_batch has.
const inserters = 4

// RunInsertCommand inserts the block until there are as many rows as asked for.
func RunInsertCommand(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("want what to insert, as JSON")
	}
	var in Insert
	if err := json.Unmarshal([]byte(args[0]), &in); err != nil {
		return fmt.Errorf("read what to insert: %w", err)
	}
	block, err := os.ReadFile(in.File)
	if err != nil {
		return err
	}
	if err := in.all(ctx, block); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(Inserted{Rows: uint64(in.Total / in.Rows * in.Rows)})
}

func (in *Insert) all(ctx context.Context, block []byte) error {
	began, work, errs := time.Now(), make(chan int), make([]error, inserters)
	var workers sync.WaitGroup
	for w := range inserters {
		workers.Go(func() {
			for i := range work {
				errs[w] = errors.Join(errs[w], in.one(ctx, i, block))
			}
		})
	}
	for i := range in.Total / in.Rows {
		if in.Rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64((i+1)*in.Rows) / in.Rate * 1e9))))
		}
		work <- i
	}
	close(work)
	workers.Wait()
	return errors.Join(errs...)
}

// one inserts the block under a token of its own: it is the same block each time.
func (in *Insert) one(ctx context.Context, i int, block []byte) error {
	query := url.Values{
		"query": {"INSERT INTO " + in.Table + " FORMAT Native"}, "decompress": {"1"}, "async_insert": {"0"},
		"insert_deduplication_token": {strconv.Itoa(i)},
	}
	body, err := post(ctx, in.URL+"/?"+query.Encode(), block)
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return body.Close()
}

// TakeBlock reads all rows of a table as an insert of them would send it.
func TakeBlock(ctx context.Context, address, table, file string) error {
	query := url.Values{"compress": {"1"}, "max_block_size": {"1000000"}, "preferred_block_size_bytes": {"1000000000"}, "max_threads": {"1"}}
	body, err := post(ctx, address+"/?"+query.Encode(), []byte("SELECT * FROM "+table+" FORMAT Native"))
	if err != nil {
		return fmt.Errorf("read the block: %w", err)
	}
	defer func() { _ = body.Close() }()
	block, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read the block: %w", err)
	}
	return os.WriteFile(file, block, 0o600)
}

func post(ctx context.Context, address string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, errors.Join(fmt.Errorf("%s: %s", resp.Status, text), resp.Body.Close())
	}
	return resp.Body, nil
}
