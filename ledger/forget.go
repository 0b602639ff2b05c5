package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// HashSize is the length, in bytes, of a ledger's secret for forgotten persons and of the hashes under it.
const HashSize = sha256.Size

// HashAddress returns what a ledger keeps of a forgotten person's normalised address: its HMAC-SHA256 under the ledger's secret.
func HashAddress(secret []byte, address string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(address))
	return mac.Sum(nil)
}

// HashContact returns the name under which a ledger keeps the opt-outs of a forgotten person's contact.
func HashContact(secret []byte, contactID string) string {
	return "forgotten " + hex.EncodeToString(HashAddress(secret, "contact "+contactID))
}

// HashSuppressed returns the name under which a ledger keeps the suppression of a forgotten person's normalised address.
func HashSuppressed(secret []byte, address string) string {
	return "forgotten " + hex.EncodeToString(HashAddress(secret, address))
}

// ForgottenText replaces what named a forgotten person: in texts, and as the key of a row that a run was asked for.
const ForgottenText = "(forgotten)"
