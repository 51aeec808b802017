package model

// Room returns for how many entries a map's watcher has memory.
func Room(w Watcher) int {
	m := w.(*mapWatcher)
	return cap(m.noted) + cap(m.taken) + cap(m.state)
}
