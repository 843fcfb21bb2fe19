package policy_test

import (
	"strings"
	"testing"

	"hexad/engine/policy"
)

func TestDiffLines(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ a, b, want string }{
		"equal":        {"x\ny\n", "x\ny\n", ""},
		"from nothing": {"", "x\n", "--- a|+++ b|@@ -1,0 +1,1 @@|+x"},
		"one line": {"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
			"--- a|+++ b|@@ -2,7 +2,7 @@| 2| 3| 4|-5|+five| 6| 7| 8"},
		"two hunks": {"a\n1\n2\n3\n4\n5\n6\n7\n8\n9\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\n8\n9\nB\n",
			"--- a|+++ b|@@ -1,4 +1,4 @@|-a|+A| 1| 2| 3|@@ -8,4 +8,4 @@| 7| 8| 9|-b|+B"},
		"moved": {"1\n2\n3\n", "2\n3\n1\n", "--- a|+++ b|@@ -1,3 +1,3 @@|-1| 2| 3|+1"},
	} {
		if got := strings.Join(policy.DiffLines("a", "b", tt.a, tt.b), "|"); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, tt.want)
		}
	}
}
