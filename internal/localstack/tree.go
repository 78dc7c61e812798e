package localstack

// collect walks the tree of children below pid, parents first.
func collect(children map[int][]int, pid int) []int {
	found := append([]int(nil), children[pid]...)
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}
