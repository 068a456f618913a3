package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object.
type object = map[string]any

// fieldSet is what is known of the values at one place of an answer.
type fieldSet struct {
	kinds map[string]bool
	seen  int
}

// shape lists the fields of a value and their types, sorted. What only some of a
// list's objects have is marked by "?".
func shape(v any) (lines []string) {
	places := map[string]*fieldSet{}
	collect(places, "", v)
	for _, place := range slices.Sorted(maps.Keys(places)) {
		if place == "" || strings.HasSuffix(place, "_details.rate") && places[place].kinds["number"] {
			continue // what is called details has a rate
		}
		f := places[place]
		line := " " + place + " " + strings.Join(slices.Sorted(maps.Keys(f.kinds)), "|")
		if i := strings.LastIndexByte(place, '.'); i >= 0 && f.seen < places[place[:i]].objects() {
			line += "?"
		}
		lines = append(lines, line)
	}
	return lines
}

// objects is how many objects there are at a place.
func (f *fieldSet) objects() int {
	if f == nil {
		return 0
	}
	return f.seen
}

func collect(places map[string]*fieldSet, place string, v any) {
	f := places[place]
	if f == nil {
		f = &fieldSet{kinds: map[string]bool{}}
		places[place] = f
	}
	f.seen++
	f.kinds[kind(place, v)] = true
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			collect(places, place+"."+k, e)
		}
	case []any:
		for _, e := range v {
			collect(places, place+"[]", e)
		}
	}
}

func kind(place string, v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "text"
	case json.Number:
		// RabbitMQ writes 0.0 for a rate of nothing.
		if strings.HasSuffix(place, "rate") || strings.HasSuffix(place, "avg") || strings.ContainsAny(v.String(), ".eE") {
			return "number"
		}
		return "integer"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	panic(fmt.Sprintf("no JSON: %T", v))
}

// values is what the objects of a list, or of a page, have at a field.
func values(v any, field string) string {
	if page, ok := v.(map[string]any); ok {
		v = page["items"]
	}
	list, ok := v.([]any)
	if !ok {
		return "no list"
	}
	var parts []string
	for _, e := range list {
		for name := range strings.SplitSeq(field, ".") {
			object, ok := e.(map[string]any)
			if !ok {
				break
			}
			e = object[name]
		}
		parts = append(parts, compact(e))
	}
	return strings.Join(parts, " ")
}

// one is an object as it is, but for the fields that are left out.
func one(v any, without ...string) string {
	object, ok := v.(map[string]any)
	if !ok {
		return compact(v)
	}
	object = maps.Clone(object)
	for _, name := range without {
		delete(object, name)
	}
	return compact(object)
}

// only is an object's fields of these names.
func only(v any, names ...string) string {
	object, ok := v.(map[string]any)
	if !ok {
		return compact(v)
	}
	object = maps.Clone(object)
	maps.DeleteFunc(object, func(k string, _ any) bool { return !slices.Contains(names, k) })
	return compact(object)
}

// objects is a list's objects.
func objects(v any) (all []object) {
	list, _ := v.([]any)
	for _, e := range list {
		if o, ok := e.(object); ok {
			all = append(all, o)
		}
	}
	return all
}
