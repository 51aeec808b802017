package sim

import "github.com/insecure-scuttlebutt/scuttlebutt/model"

// probe stands between an engine and a model, and knows what is retained.
type probe struct {
	model.Model
	checker  *checker
	node     *Node
	retained retention
}

// Apply implements model.Model.
func (p *probe) Apply(u *model.Update) model.Effect {
	p.node.watch.changed = true
	r := p.checker.learn(p.node, u)
	return p.retained.apply(p.checker.history, p.Model, u, r)
}

// Discard implements model.Model.
func (p *probe) Discard(u *model.Update) {
	p.node.watch.changed = true
	if r := p.checker.history.get(u.Dot); r != nil {
		p.retained.remove(r)
		if r.Collectable() {
			p.node.watch.removed = append(p.node.watch.removed, r)
		}
	}
	p.Model.Discard(u)
}

// Verify implements model.Verifier, for a model that does; any other has lost nothing.
func (p *probe) Verify(u *model.Update) bool {
	v, ok := p.Model.(model.Verifier)
	return !ok || v.Verify(u)
}

// expiring is the probe of a model whose updates may expire.
type expiring struct{ *probe }

// Expire implements model.Expirer.
func (p expiring) Expire(u *model.Update) { p.Model.(model.Expirer).Expire(u) }
