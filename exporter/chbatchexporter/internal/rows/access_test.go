package rows

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// TestKeysAreKnownWhereverTheyAre covers the constants of the program, which are found by address, and copies, which are not.
func TestKeysAreKnownWhereverTheyAre(t *testing.T) {
	for _, k := range accessKeys {
		assert.Equal(t, k.is, attributeOf(k.key), k.key)
		assert.Equal(t, k.is, attributeOf(strings.Clone(k.key)), k.key)
		assert.Equal(t, attrOther, attributeOf(k.key[:len(k.key)-1]), "the same address, but shorter than %s", k.key)
	}
	assert.Equal(t, attrOther, attributeOf("geo.country.name"))
	assert.Equal(t, attrOther, attributeOf(""))
}

// TestKeysHaveSlotsOfTheirOwn checks what makes it fast: each constant is found by its address.
func TestKeysHaveSlotsOfTheirOwn(t *testing.T) {
	for _, k := range accessKeys {
		assert.Same(t, unsafe.StringData(k.key), unsafe.StringData(keysByAddress.at(addressOf(k.key)).key), k.key)
	}
	assert.Same(t, unsafe.StringData("user_agent.original"), unsafe.StringData(accessKeys[attributeAt(attrUserAgent)].key),
		"the linker keeps one copy of a constant")
}

func attributeAt(is attribute) int {
	for i, k := range accessKeys {
		if k.is == is {
			return i
		}
	}
	return -1
}

// agentsByName answers with the name itself, and counts how often it is asked.
type agentsByName struct{ asked int }

func (e *agentsByName) UserAgent(name string) UserAgent {
	e.asked++
	return UserAgent{Browser: strings.Clone(name)}
}

func (*agentsByName) Address(string) Location { return Location{} }

// TestAgentsAreRemembered asks for more of them than there is room for, and for one in memory that is used again.
func TestAgentsAreRemembered(t *testing.T) {
	memo, from := newAgentMemo(), &agentsByName{}
	for i := range 1000 {
		name := fmt.Sprint("agent-", i)
		for range 2 {
			assert.Equal(t, name, memo.describe(name, from).Browser)
		}
	}
	assert.Equal(t, 1000, from.asked)
	long := strings.Repeat("x", maxKnownAgent+1)
	assert.Equal(t, long, memo.describe(long, from).Browser)
	memory := []byte("agent-a")
	view := unsafe.String(&memory[0], len(memory))
	assert.Equal(t, "agent-a", memo.describe(view, from).Browser)
	memory[6] = 'b'
	assert.Equal(t, "agent-b", memo.describe(view, from).Browser)
}
