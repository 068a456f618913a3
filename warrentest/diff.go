package warrentest

import (
	"fmt"
	"strings"
)

const (
	// mostCompared bounds the work for a difference: beyond it, lists that differ are
	// shown one after the other.
	mostCompared = 4 << 20
	// around is how many lines that are in both lists are shown around others.
	around = 3
)

// diff compares two lists and returns their difference, a line for each text: with "- " in
// front what is wanted and not there, with "+ " what is there and not wanted, with "  "
// what is in both. Show returns a text as it is to be shown, in one line. Equal lists have
// the difference "".
func diff(want, there []string, show func(string) string) string {
	var edits []edit
	begin := 0
	for begin < min(len(want), len(there)) && want[begin] == there[begin] {
		edits = append(edits, edit{' ', want[begin]})
		begin++
	}
	if begin == len(want) && begin == len(there) {
		return ""
	}
	end := 0
	for end < min(len(want), len(there))-begin && want[len(want)-1-end] == there[len(there)-1-end] {
		end++
	}
	edits = compare(edits, want[begin:len(want)-end], there[begin:len(there)-end])
	for _, text := range want[len(want)-end:] {
		edits = append(edits, edit{' ', text})
	}
	return render(edits, show)
}

// edit is a text that is wanted ('-'), there ('+'), or both (' ').
type edit struct {
	sign byte
	text string
}

// compare adds the shortest edits that make one list of the other.
func compare(edits []edit, want, there []string) []edit {
	n, m := len(want), len(there)
	i, j := 0, 0
	if n*m <= mostCompared {
		common := commonLengths(want, there)
		for i < n && j < m {
			switch at := i*(m+1) + j; {
			case want[i] == there[j]:
				edits = append(edits, edit{' ', want[i]})
				i, j = i+1, j+1
			case common[at+m+1] >= common[at+1]:
				edits = append(edits, edit{'-', want[i]})
				i++
			default:
				edits = append(edits, edit{'+', there[j]})
				j++
			}
		}
	}
	for _, text := range want[i:] {
		edits = append(edits, edit{'-', text})
	}
	for _, text := range there[j:] {
		edits = append(edits, edit{'+', text})
	}
	return edits
}

// commonLengths returns the length of the longest common subsequence of want[i:] and
// there[j:] at i*(len(there)+1)+j.
func commonLengths(want, there []string) []int32 {
	n, m := len(want), len(there)
	common := make([]int32, (n+1)*(m+1))
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			at := i*(m+1) + j
			if want[i] == there[j] {
				common[at] = common[at+m+2] + 1
			} else {
				common[at] = max(common[at+m+1], common[at+1])
			}
		}
	}
	return common
}

// render returns the edits as text. Of many lines in turn that are in both lists it shows
// those that are near others.
func render(edits []edit, show func(string) string) string {
	near := make([]bool, len(edits))
	for i, e := range edits {
		if e.sign != ' ' {
			for k := max(0, i-around); k <= min(len(edits)-1, i+around); k++ {
				near[k] = true
			}
		}
	}
	var lines []string
	for i := 0; i < len(edits); {
		far := i
		for far < len(edits) && !near[far] {
			far++
		}
		if n := far - i; n > 1 {
			lines = append(lines, fmt.Sprintf("  ... %d alike", n))
			i = far
			continue
		}
		lines = append(lines, string(edits[i].sign)+" "+show(edits[i].text))
		i++
	}
	return strings.Join(lines, "\n")
}
