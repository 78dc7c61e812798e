package registry

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/testenv"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// browser is one tab of a real Chromium. What the page throws, or its policy forbids, fails the test at its end.
type browser struct {
	t   *testing.T
	ctx context.Context

	*complaints
}

// complaints are what the page complained of.
type complaints struct {
	mu       sync.Mutex
	problems []string
	// allowed says which problems a test brings about itself.
	allowed func(string) bool
}

// with is the same tab for a test within a test.
func (b *browser) with(t *testing.T) *browser {
	return &browser{t: t, ctx: b.ctx, complaints: b.complaints}
}

// browse starts a Chromium.
func browse(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		testenv.Missing(t, "chromium is not installed (make servers does that)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(2*patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-GB"))
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b := &browser{t: t, ctx: ctx, complaints: &complaints{allowed: func(string) bool { return false }}}
	require.NoError(t, chromedp.Do(ctx))
	messages := chromedp.Console(ctx)
	var reading sync.WaitGroup
	reading.Go(func() { b.read(messages) })
	t.Cleanup(func() {
		if t.Failed() {
			b.keepPicture()
		}
		cancel()
		cancelAllocator()
		reading.Wait()
		for _, problem := range b.problems {
			t.Errorf("the page: %s", problem)
		}
	})
	b.size(1440, 900)
	return b
}

// read collects what the page complains about.
func (b *browser) read(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for message, err := range messages {
		if err != nil {
			return
		}
		problem := message.Type == chromedp.ConsoleException || message.Type == chromedp.ConsoleError
		text := message.Text + " " + message.URL
		b.mu.Lock()
		if problem && !b.allowed(text) {
			b.problems = append(b.problems, text)
		}
		b.mu.Unlock()
	}
}

func (b *browser) allow(is func(string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = is
}

// keepPicture shows what a failed test saw.
func (b *browser) keepPicture() {
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return
	}
	file := filepath.Join(os.TempDir(), "avika-page-failed.png")
	if os.WriteFile(file, picture, 0o600) == nil {
		b.t.Logf("what the page showed: %s", file)
	}
}

// patience bounds each step in the browser.
const patience = time.Minute

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// open goes to an address and waits until the page is live.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(url))
	b.is(`document.querySelector(".pill").dataset.phase === "live"`)
}

// eval returns a value from the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, awaited))
	require.NoError(b.t, err, expression)
	return value
}

// awaited gives the value of a promise.
func awaited(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }

// is waits until an expression is true in the page.
func (b *browser) is(expression string, args ...any) {
	b.t.Helper()
	expression = fmt.Sprintf(expression, args...)
	for deadline := time.Now().Add(patience); ; time.Sleep(harness.Tick) {
		if eval[bool](b, "Boolean("+expression+")") {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("never true in the page: %s\nit shows:\n%s", expression, eval[string](b, "document.body.innerText.slice(0, 3000)"))
		}
	}
}

// sees waits until the page shows a text.
func (b *browser) sees(text string) {
	b.t.Helper()
	b.is("document.body.innerText.includes(%q)", text)
}

// click presses the button, link or other control that has this text.
func (b *browser) click(text string) {
	b.t.Helper()
	find := fmt.Sprintf(`[...(document.querySelector("dialog[open]") ?? document).querySelectorAll("button, a, summary")].find((e) => e.checkVisibility() && e.innerText.trim().startsWith(%q))`, text)
	b.is("((e) => e && (e.click(), true))(" + strings.ReplaceAll(find, "%", "%%") + ")") // in one go: the page changes by itself
}

// press sends keys to what has the focus.
func (b *browser) press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		if len(key) > 1 || key < "!" || key > "~" {
			b.do(chromedp.KeyEvent(key))
			continue
		}
		// As one event, so that a page that takes the key keeps it from being typed too.
		b.dispatch(input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key})
		b.dispatch(input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: key})
	}
}

func (b *browser) dispatch(event input.DispatchKeyEventParams) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, event)
	require.NoError(b.t, err)
}

// write puts text into a field, as typing does.
func (b *browser) write(selector, text string) {
	b.t.Helper()
	choose := fmt.Sprintf("document.querySelector(%q).select?.()", selector)
	b.do(chromedp.Focus(chromedp.CSS(selector)), chromedp.Evaluate[chromedp.Void](choose), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// size sets the window.
func (b *browser) size(width, height int64, options ...chromedp.EmulateViewportOption) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height, options...))
}

// prefers sets a media feature, as in prefers-color-scheme: dark.
func (b *browser) prefers(feature, value string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: feature, Value: value}}})
	require.NoError(b.t, err)
}
