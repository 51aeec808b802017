package clock

// Dots are a list of dots, in the order in which it was made, that nobody changes. The
// zero value is empty, and takes no more memory than a pointer.
type Dots struct {
	list *[]Dot // nil: there are none
}

// NewDots returns a list of dots. It takes ownership of the slice.
func NewDots(dots []Dot) Dots {
	if len(dots) == 0 {
		return Dots{}
	}
	list := dots // only what is not empty takes memory
	return Dots{list: &list}
}

// Len returns the number of dots.
func (d Dots) Len() int { return len(d.All()) }

// All returns the dots, nil if there are none. The slice must not be changed.
func (d Dots) All() []Dot {
	if d.list == nil {
		return nil
	}
	return *d.list
}
