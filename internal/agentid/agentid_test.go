package agentid

import "testing"

func TestCanonical(t *testing.T) {
	for _, test := range []struct{ name, id, want string }{
		{"new form", "web-01-10-0-2-15", "web-01-10-0-2-15"},
		{"old form", "web-01+10.0.2.15", "web-01-10-0-2-15"},
		{"old form, IPv6", "web-01+fd00::2", "web-01-fd00--2"},
		{"plus in the host name", "a+b+10.0.0.1", "a+b-10-0-0-1"},
		{"plus without an address", "web+blue", "web+blue"},
		{"empty", "", ""},
		{"only an address", "+10.0.0.1", "-10-0-0-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Canonical(test.id); got != test.want {
				t.Errorf("Canonical(%q) = %q, want %q", test.id, got, test.want)
			}
		})
	}
}

func TestCanonicalDoesNotAllocateForNewForm(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Canonical("web-01-10-0-2-15") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestHost(t *testing.T) {
	for id, want := range map[string]string{
		"web-01-10-0-2-15": "web-01", "web-01-10-0-2-256": "web-01-10-0-2-256", "web-1-2-3-4": "web", "1-2-3-4": "1-2-3-4",
		"-10-0-0-1": "-10-0-0-1", "web": "web", "": "", "web-fd00--2": "web-fd00--2", "web+blue": "web+blue",
	} {
		if got := Host(id); got != want {
			t.Errorf("Host(%q) = %q, want %q", id, got, want)
		}
	}
}
