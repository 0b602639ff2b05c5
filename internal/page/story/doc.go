// Package story says in words what is known of a person: first why they get mail or not, then what happened, by time. It also says what to do about rows that
// fail. It asks nobody and shows nothing: it makes data of what package explain has found.
//
// The idea to know: a sentence holds no time. Where one matters it stands beside the sentence, so that a page can show it in the zone of the viewer.
package story
