package cluster

import "encoding/json"

// tree is a piece of configuration. YAML takes JSON as it is.
type tree = map[string]any

// single is the name of the deployment of a configuration without a section of deployments.
const single = ""

// scribe writes the configuration of a world.
type scribe struct{ *World }

// configuration returns the file of all nodes. What differs between them is in their environment.
func (w scribe) configuration() []byte {
	top := tree{
		"ledger": "${LEDGER}",
		"serve":  tree{"listen": "${LISTEN}", "stop_within": "10s", "log_format": "json"},
	}
	if w.single() {
		for key, value := range w.deployment(single) {
			top[key] = value
		}
	} else {
		deployments := make(tree)
		for name := range w.Owlats {
			deployments[name] = w.deployment(name)
		}
		top["deployments"] = deployments
	}
	text, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		panic(err) // it has texts and numbers alone
	}
	return text
}

// single reports whether the world has the one deployment of an ordinary configuration.
func (w scribe) single() bool { return w.Owlats[single] != nil }

// deployment is the configuration of one deployment.
func (w scribe) deployment(name string) tree {
	o, town := w.Owlats[name], w.towns[name]
	guards := tree{"first_run": "allow", "creates": "allow", "topic_adds": "allow", "updates": "allow", "removals": "allow", "empty_source": "allow"}
	var writeBacks []tree
	all := make(tree)
	for n, sync := range syncs {
		source := tree{"dsn": "${SOURCE}", "query": "SELECT id, email, name, yes, mark FROM " + town.table(n)}
		events := []tree{{"name": "met_" + sync, "on": "appears", "properties": tree{"mark": "mark"}}}
		fields := tree{"email": "email"}
		if n == Users {
			fields["fullName"] = "name"
			source["listen"] = town.table(n)
			events = append(events, tree{"name": "changed_" + sync, "on": "updated", "properties": tree{"mark": "mark"}})
		}
		all[sync] = tree{
			"source": source, "key": "id", "fields": fields, "topics": []tree{{"id": town.topic(n), "when": "yes"}}, "guards": guards,
			"on_missing": "leave_topics", "events": events, "schedule": "every 3s", "fresh": "1m",
		}
		writeBacks = append(writeBacks, tree{
			"name": sync, "sync": sync, "on": []string{"topic.unsubscribed", "email.bounced", "email.complained"},
			"statement": "UPDATE " + town.table(n) + " SET yes = false, heard = heard + 1 WHERE lower(email) = :email AND coalesce(:topic, '') IN ('', '" + town.topic(n) + "')",
		})
	}
	owlat := tree{"url": "http://" + Host(name), "api_key": o.Key}
	if w.opts.PerSecond > 0 {
		owlat["requests_per_second"] = w.opts.PerSecond
	}
	return tree{
		"owlat":      owlat,
		"webhooks":   tree{"secrets": []string{HookSecret}},
		"write_back": writeBacks,
		"syncs":      all,
	}
}
