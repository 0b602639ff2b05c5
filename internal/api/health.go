package api

import "net/http"

// healthz says that the process answers.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]bool{"ok": true})
}

// readyz says whether the service can do its work. Why it cannot, it does not tell: anybody may ask. The status of the API does.
func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	status, why := http.StatusOK, a.parts.Ready(r.Context())
	if why != nil {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, map[string]bool{"ready": why == nil})
}
