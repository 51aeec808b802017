package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"slices"
	"testing"
)

func TestFigureFiles(t *testing.T) {
	f := figure{
		name: "f", title: "Title", x: "t (s)", y: "rate (1/s)", marks: []mark{{"depth", 1, 2}},
		sheet: newSheet(3, curve{"depth", []float64{0, 1, math.NaN(), 2}}, curve{"no ink of its own", []float64{3, 2, 1, 0}}, curve{"empty", []float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}}),
	}
	files, err := f.files()
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.files()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f.csv", "f.svg", "f.png"} {
		if len(files[name]) == 0 || !bytes.Equal(files[name], again[name]) {
			t.Errorf("%s: %d bytes, the second time others", name, len(files[name]))
		}
	}
	if _, err := png.Decode(bytes.NewReader(files["f.png"])); err != nil {
		t.Error(err)
	}
	var texts []string
	for d := xml.NewDecoder(bytes.NewReader(files["f.svg"])); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if s, ok := token.(xml.CharData); ok {
			texts = append(texts, string(s))
		}
	}
	for _, want := range []string{"Title", "t (s)", "rate (1/s)", "depth", "no ink of its own"} {
		if !slices.Contains(texts, want) {
			t.Errorf("the figure does not say %q: %q", want, texts)
		}
	}
	if slices.Contains(texts, "empty") {
		t.Error("the legend has a curve without values")
	}
}

func TestTicks(t *testing.T) {
	for _, tt := range []struct {
		low, high float64
		want      []string
	}{
		{0, 10, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}},
		{0, 150, []string{"0", "20", "40", "60", "80", "100", "120", "140"}},
		{0, 1.8, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0", "1.2", "1.4", "1.6", "1.8"}},
		{0, 3300, []string{"0", "500", "1,000", "1,500", "2,000", "2,500", "3,000"}},
		{15, 34, []string{"16", "18", "20", "22", "24", "26", "28", "30", "32", "34"}},
	} {
		var got []string
		for _, tick := range (ticks{}).Ticks(tt.low, tt.high) {
			got = append(got, tick.Label)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("ticks from %v to %v: %q, want %q", tt.low, tt.high, got, tt.want)
		}
	}
}
