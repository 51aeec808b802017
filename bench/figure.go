package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// figure is a sheet and how to draw it.
type figure struct {
	name   string // of its files
	title  string
	x, y   string // axes, with units
	sheet  sheet
	marks  []mark  // published figures, say
	top    float64 // of the vertical axis; 0: what the curves need
	log    bool    // the horizontal axis is logarithmic
	legend corner
}

// mark is a single point, drawn as a ring in the colour of the curve it belongs to.
type mark struct {
	curve string
	x, y  float64
}

// corner is where the legend goes.
type corner struct{ left, bottom bool }

const (
	figureWidth  = 19 * vg.Centimeter
	figureHeight = 11 * vg.Centimeter
	figureDPI    = 144
)

// ink is how a curve is drawn: colours are those of Okabe and Ito, which people
// with any colour vision can tell apart; dashes do it on paper.
type ink struct {
	color  color.RGBA
	dashes []vg.Length
	width  vg.Length
}

var (
	black     = color.RGBA{0, 0, 0, 255}
	grey      = color.RGBA{110, 110, 110, 255}
	orange    = color.RGBA{230, 159, 0, 255}
	sky       = color.RGBA{86, 180, 233, 255}
	blue      = color.RGBA{0, 114, 178, 255}
	vermilion = color.RGBA{213, 94, 0, 255}
	purple    = color.RGBA{204, 121, 167, 255}
)

var (
	solid  []vg.Length
	dashed = []vg.Length{vg.Points(6), vg.Points(3)}
	short  = []vg.Length{vg.Points(3), vg.Points(2)}
	dotted = []vg.Length{vg.Points(1.5), vg.Points(2.5)}
	mixed  = []vg.Length{vg.Points(8), vg.Points(2.5), vg.Points(1.5), vg.Points(2.5)}
)

// inks are the curves that appear in several figures, the same in all.
var inks = map[string]ink{
	"precise-newest":  {sky, solid, 1.5},
	"precise-oldest":  {orange, dashed, 1.5},
	"depth":           {blue, solid, 2},
	"breadth":         {vermilion, mixed, 2},
	"span":            {purple, dotted, 2},
	"hybrid":          {black, short, 1.5},
	"AIMD":            {vermilion, mixed, 1.5},
	"quota":           {blue, solid, 2},
	"capacity":        {grey, dotted, 1.5},
	"median":          {blue, solid, 2},
	"lower quartile":  {sky, dashed, 1.5},
	"upper quartile":  {vermilion, dashed, 1.5},
	spreadLawName:     {grey, dotted, 2},
	"greedy, mean":    {blue, solid, 2},
	"greedy, lowest":  {sky, dashed, 1.5},
	"greedy, highest": {purple, dashed, 1.5},
	"modest, mean":    {vermilion, solid, 2},
	"modest, lowest":  {orange, dotted, 2},
}

// inkOf returns how to draw a curve.
func inkOf(name string) ink {
	if k, ok := inks[name]; ok {
		return k
	}
	return ink{black, solid, 1.5}
}

// plot lays the figure out.
func (f figure) plot() (*plot.Plot, error) {
	p := plot.New()
	for _, style := range []*draw.TextStyle{
		&p.Title.TextStyle, &p.Legend.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label,
	} {
		style.Font.Variant = "Sans"
	}
	p.Title.Text = f.title
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text, p.Y.Label.Text = f.x, f.y
	p.Legend.Top, p.Legend.Left = !f.legend.bottom, f.legend.left
	p.Legend.ThumbnailWidth = vg.Points(32)
	p.Legend.Padding = vg.Points(3)
	p.Legend.XOffs = vg.Points(-8)
	if f.legend.left {
		p.Legend.XOffs = vg.Points(8)
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	for _, c := range f.sheet.curves {
		if err := f.addCurve(p, c, inkOf(c.name)); err != nil {
			return nil, fmt.Errorf("bench: draw %s of %s: %w", c.name, f.name, err)
		}
	}
	for _, m := range f.marks {
		if err := f.addMark(p, m); err != nil {
			return nil, fmt.Errorf("bench: draw %s: %w", f.name, err)
		}
	}
	p.X.Min, p.X.Max = f.sheet.at[0], f.sheet.at[len(f.sheet.at)-1]
	p.Y.Min = 0
	if f.top > 0 {
		p.Y.Max = f.top
	}
	if f.log {
		p.X.Scale = plot.LogScale{}
		var at plot.ConstantTicks
		for _, x := range f.sheet.at {
			at = append(at, plot.Tick{Value: x, Label: fixed(x, 0)})
		}
		p.X.Tick.Marker = at
	}
	return p, nil
}

func (f figure) addCurve(p *plot.Plot, c curve, k ink) error {
	var points plotter.XYs
	for i, v := range c.values {
		if !math.IsNaN(v) {
			points = append(points, plotter.XY{X: f.sheet.at[i], Y: v})
		}
	}
	if len(points) == 0 {
		return nil
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Dashes, line.Width = k.color, k.dashes, vg.Points(float64(k.width))
	p.Add(line)
	p.Legend.Add(c.name, line)
	return nil
}

func (f figure) addMark(p *plot.Plot, m mark) error {
	s, err := plotter.NewScatter(plotter.XYs{{X: m.x, Y: m.y}})
	if err != nil {
		return err
	}
	s.GlyphStyle = draw.GlyphStyle{Color: inkOf(m.curve).color, Radius: vg.Points(4.5), Shape: draw.RingGlyph{}}
	p.Add(s)
	return nil
}

// ticks are at multiples of 1, 2 or 5 times a power of ten, at most ten of them.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Ceil(math.Log10((high-low)/10)))
	for _, part := range []float64{5, 2} {
		if step/part >= (high-low)/10 {
			step /= part
			break
		}
	}
	_, fraction, _ := strings.Cut(decimal(step), ".")
	var all []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		all = append(all, plot.Tick{Value: i * step, Label: fixed(i*step, len(fraction))})
	}
	return all
}

// margin is free space around a figure.
const margin = 4 * vg.Millimeter

// paint draws a plot on a canvas.
func paint(p *plot.Plot, c vg.CanvasSizer) {
	whole := draw.New(c)
	whole.FillPolygon(color.White, []vg.Point{{X: 0, Y: 0}, {X: figureWidth, Y: 0}, {X: figureWidth, Y: figureHeight}, {X: 0, Y: figureHeight}})
	p.Draw(draw.Crop(whole, margin, -margin, margin, -margin))
}

// files returns the figure's files by name: SVG, PNG and CSV. The same figure
// gives the same bytes.
func (f figure) files() (map[string][]byte, error) {
	var table, vector, raster bytes.Buffer
	if err := f.sheet.writeCSV(&table); err != nil {
		return nil, err
	}
	p, err := f.plot()
	if err != nil {
		return nil, err
	}
	svg := vgsvg.New(figureWidth, figureHeight)
	paint(p, svg)
	if _, err := svg.WriteTo(&vector); err != nil {
		return nil, err
	}
	drawn := bytes.ReplaceAll(vector.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	png := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(figureWidth, figureHeight), vgimg.UseDPI(figureDPI))}
	paint(p, png)
	if _, err := png.WriteTo(&raster); err != nil {
		return nil, err
	}
	return map[string][]byte{f.name + ".csv": table.Bytes(), f.name + ".svg": drawn, f.name + ".png": raster.Bytes()}, nil
}

// save writes the figure's files into a directory that exists.
func (f figure) save(dir string) error {
	files, err := f.files()
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			return err
		}
	}
	return nil
}
