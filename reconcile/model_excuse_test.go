package reconcile_test

import "slices"

// excuse is a case in which the model lets a run do, or leave, what rows and policies alone would not.
type excuse string

// These are all excuses, each with its reason. What the model does not let happen at all is said where it happens: reaction, clockSkew,
// underWay, oneSync, rekey and merge.
const (
	// What a run cannot know.
	cursorForgot  excuse = "the row changed and kept its cursor: nobody can know before all rows are read"
	goneUnseen    excuse = "somebody else deleted the contact, nothing was to be sent, and nobody has verified"
	changedUnseen excuse = "somebody else changed the value, the row has not changed since, and nobody has verified"
	heldUnseen    excuse = "the contact of another row does not have its address any more, and nobody could know"
	strangerSince excuse = "nobody had the address to which no mail may go, and somebody else made a contact of it since: no sync has"
	drifted       excuse = "the address drifted: Owlat refuses it for a contact that nobody can find (docs/guarantees.md)"
	renamedAway   excuse = "somebody else changed the address while the create was in doubt, or has given it to another contact"
	samePerson    excuse = "the one who had the address before was deleted or merged, and may be the same person: that is no consent"
	otherPerson   excuse = "the contact was known for another row before, or the row had another one: its consent is as old as that"
	wasMissing    excuse = "the row was absent in between: one that comes back is no consent"
	timeless      excuse = "no answer has told Owlat's time before the add was sent, and another sync's doubt is all that was known of the contact"
	olderMet      excuse = "the ledger is older than what was done, and the row may have been met before"

	// What only a person can decide, and what is told.
	ruleless   excuse = "the value was there while any could be overwritten: it counts as the sync's"
	mayNot     excuse = "the value may not be overwritten, or somebody else has changed it: it is kept"
	toldUnsure excuse = "it is told that nobody knows whether the contact is on the topic"
	toldOff    excuse = "it is told that the contact is not on the topic, and that the add was lost or the person has left since"
	leftAll    excuse = "the person is known to have left, by reading, and is on no topic: only a new yes puts them on another"
	getsNone   excuse = "no mail may go to the person: they are taken off, and put on no topic"
	foundOne   excuse = "the contact to which no mail may go was not known to be there, and is kept equal to its row as any"
	toldOnce   excuse = "a row that fails again for another reason in a later stretch is told once, and may be in step but for an event"
	heldByOne  excuse = "another contact has the address, and is not to be deleted"
	eventMoved excuse = "an event goes by address, and somebody else has changed that"

	// What follows from rows that are not alone.
	siblings   excuse = "several syncs: what the other has done is found out by answers, and set right at once"
	keptBeside excuse = "the contact is on the topic for a row that left and for another sync, from which absence takes nothing"
	leftBeside excuse = "a row of the contact left, and the consent of the other may be older than the opt-out that was told"
	sharedOne  excuse = "another entry has the contact"
	siblingPut excuse = "an update that broke off counts as made where another sync made the contact so"

	// What holds back what follows from absence.
	onlyWaits excuse = "the row failed because something from before the run stays unknown, or only its person is waited for"
	someFail  excuse = "rows fail for ever, and nothing follows from the absence of others meanwhile"
	heldBack  excuse = "a request for another row failed, which is tried no more now: what follows from absence waited for that"
	spoilt    excuse = "so many rows have turned invalid that the form of the source must have changed"
	keyless   excuse = "a row without a key may be any of the absent ones"
)

// guesses are the excuses that nobody needs who can read memberships.
var guesses = []excuse{toldUnsure}

// excused reports whether the excuse holds, and counts it. A history with the secret has no excuse for a guess.
func (m *model) excused(e excuse, holds bool) bool {
	if holds && m.links == withLinks && slices.Contains(guesses, e) {
		return false
	}
	if holds {
		m.count("excused: " + string(e))
	}
	return holds
}
