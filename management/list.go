package management

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bounds of questions for lists.
const (
	defaultPageSize = 100
	maxPageSize     = 10_000 // RabbitMQ has 500, LavinMQ this
	maxFilter       = 1024   // characters of a name filter
	maxColumns      = 200
	maxPath         = 8 // parts of a column or sort key
)

// sortValue is a value to sort by. Numbers come before texts. What an object does not
// have counts as zero.
type sortValue struct {
	number float64
	text   string
	isText bool
}

func (v sortValue) compare(o sortValue) int {
	switch {
	case v.isText != o.isText:
		if v.isText {
			return 1
		}
		return -1
	case v.isText:
		return strings.Compare(v.text, o.text)
	}
	return cmp.Compare(v.number, o.number)
}

// listQuery is what a client asks of a list.
type listQuery struct {
	sort    []string // path of the value to sort by; nil: the default order
	reverse bool
	want    *columns
	paged   bool
	page    int
	size    int
	name    string // filter: a part of the name
	match   *regexp.Regexp
}

// parseListQuery reads the parameters of a list.
func parseListQuery(q url.Values) (*listQuery, error) {
	l := &listQuery{page: 1, size: defaultPageSize, want: parseColumns(q.Get("columns"))}
	if s := q.Get("sort"); s != "" {
		if l.sort = strings.SplitN(s, ".", maxPath+1); len(l.sort) > maxPath {
			return nil, badRequest("the sort key has more than %d parts", maxPath)
		}
	}
	l.reverse = q.Get("sort_reverse") == "true"
	if !q.Has("page") {
		return l, nil // RabbitMQ filters pages only
	}
	l.paged = true
	page, size := q.Get("page"), cmp.Or(q.Get("page_size"), strconv.Itoa(defaultPageSize))
	var err1, err2 error
	l.page, err1 = strconv.Atoi(page)
	l.size, err2 = strconv.Atoi(size)
	if err1 != nil || err2 != nil {
		return nil, badRequest("Pagination parameters are invalid")
	}
	if l.page < 1 || l.page > math.MaxInt32 || l.size < 1 || l.size > maxPageSize {
		return nil, newError(http.StatusBadRequest, "invalid_pagination_parameters",
			fmt.Sprintf("Invalid pagination parameters: page number %s, page size %s", page, size))
	}
	l.name = q.Get("name")
	if len(l.name) > maxFilter {
		return nil, badRequest("Pagination parameters are invalid: the name has more than %d bytes", maxFilter)
	}
	if l.name != "" && q.Get("use_regex") == "true" {
		var err error
		if l.match, err = regexp.Compile("(?i:" + l.name + ")"); err != nil {
			return nil, badRequest("Pagination parameters are invalid: the name is no regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	return l, nil
}

// parseColumns reads names, separated by commas, with the names of members below after
// points.
func parseColumns(text string) *columns {
	if text == "" {
		return nil
	}
	top := &columns{name: make(map[string]*columns)}
	for i, path := range strings.SplitN(text, ",", maxColumns+1) {
		if i == maxColumns {
			break
		}
		at := top
		parts := strings.SplitN(path, ".", maxPath)
		for _, part := range parts {
			next := at.name[part]
			if next == nil {
				next = &columns{name: make(map[string]*columns)}
				at.name[part] = next
			}
			at = next
		}
		at.all = true
	}
	return top
}

// matches reports whether the filter lets an object of this name through.
func (l *listQuery) matches(name string) bool {
	switch {
	case l.name == "":
		return true
	case l.match != nil:
		return l.match.MatchString(name)
	}
	return containsFold(name, l.name)
}

// containsFold looks for a part of a name in any case, as RabbitMQ does.
func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// list is a list of objects in their default order.
type list[T any] struct {
	items []T
	name  func(*T) string   // for the filter; nil: there are no names
	write func(*fields, *T) // the members of an object
}

// writeList answers with a list, or a page of it.
func writeList[T any](c *call, l list[T]) error {
	q, err := parseListQuery(c.query)
	if err != nil {
		return err
	}
	total := len(l.items)
	items := l.items
	if q.name != "" && l.name != nil {
		items = slices.DeleteFunc(slices.Clone(items), func(item T) bool { return !q.matches(l.name(&item)) })
	}
	filtered := len(items)
	if q.sort != nil {
		items = sortItems(items, q, l.write)
	} else if q.reverse {
		items = slices.Clone(items)
		slices.Reverse(items)
	}
	shown := len(items)
	if q.paged {
		shown = min(shown, q.size)
	}
	if q.want != nil {
		shown /= 10
	}
	f := &fields{want: q.want, out: c.buffer(shown)}
	if !q.paged {
		f.out = append(f.out, '[')
		writeItems(f, items, l.write)
		f.out = append(f.out, ']')
		return c.json(f.out)
	}
	pages := (filtered + q.size - 1) / q.size
	if q.page > max(1, pages) {
		return newError(http.StatusBadRequest, "page_out_of_range",
			fmt.Sprintf("Page out of range, page: %d page size: %d, len: %d", q.page, q.size, filtered))
	}
	from := (q.page - 1) * q.size
	items = items[from:min(from+q.size, filtered)]
	f.want = nil
	f.open()
	f.int("filtered_count", filtered)
	f.int("item_count", len(items))
	f.member("items")
	f.out = append(f.out, '[')
	f.want = q.want
	writeItems(f, items, l.write)
	f.want = nil
	f.out = append(f.out, ']')
	f.int("page", q.page)
	f.int("page_count", pages)
	f.int("page_size", q.size)
	f.int("total_count", total)
	f.close()
	return c.json(f.out)
}

func writeItems[T any](f *fields, items []T, write func(*fields, *T)) {
	for i := range items {
		f.open()
		write(f, &items[i])
		f.close()
	}
}

// sortItems returns the items sorted by the value that q names. Each value is found
// once. Items with equal values keep their order.
func sortItems[T any](items []T, q *listQuery, write func(*fields, *T)) []T {
	type keyed struct {
		value sortValue
		index int
	}
	keys := make([]keyed, len(items))
	f := &fields{path: q.sort}
	for i := range items {
		f.found, f.depth = sortValue{}, 0
		write(f, &items[i])
		keys[i] = keyed{f.found, i}
	}
	slices.SortFunc(keys, func(a, b keyed) int { return cmp.Or(a.value.compare(b.value), cmp.Compare(a.index, b.index)) })
	if q.reverse {
		slices.Reverse(keys)
	}
	out := make([]T, len(items))
	for i, k := range keys {
		out[i] = items[k.index]
	}
	return out
}

// writeObject answers with one object.
func writeObject[T any](c *call, item *T, write func(*fields, *T)) error {
	f := &fields{want: parseColumns(c.query.Get("columns")), out: c.buffer(1)}
	f.open()
	write(f, item)
	f.close()
	return c.json(f.out)
}

// objectOf is writeObject for an object that one function describes.
func (c *call) object(write func(*fields)) error {
	f := &fields{want: parseColumns(c.query.Get("columns")), out: c.buffer(1)}
	f.open()
	write(f)
	f.close()
	return c.json(f.out)
}
