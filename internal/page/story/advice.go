package story

import (
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// Advice says what to do about rows that fail for a reason of the category.
func Advice(c ledger.Category) string {
	if text, there := advice[c]; there {
		return text
	}
	return "Nothing, if it passes: later runs try the row again. If it stays, look in Owlat what is wrong with the contact."
}

var advice = map[ledger.Category]string{
	ledger.CategoryNetwork:                         "Nothing, if it passes: later runs try the row again. If it stays, look whether Owlat can be reached from this machine.",
	ledger.CategoryTimeout:                         "Nothing, if it passes: later runs try the row again. If it stays, look at the deployment, which does not answer in time.",
	ledger.CategoryAnswer:                          "Something between here and Owlat answers in its place. Open the address of the deployment from this machine.",
	ledger.CategoryInterrupted:                     "Nothing: the run ended in the middle of it, and the next one looks what became of it.",
	ledger.CategoryRoute:                           "Correct owlat.url in the configuration: what answers there is not Owlat's API.",
	ledger.CategoryDrift:                           "Owlat refuses the address although no contact has it. Somebody must set that right in Owlat.",
	ledger.CategoryTaken:                           "Another contact in Owlat has the address. Merge or correct one of the two, in Owlat or in the source.",
	ledger.CategoryExchange:                        "Rows exchange their addresses, which takes several runs. If it stays, give one of them another address first.",
	ledger.CategoryAddress:                         "Somebody changed the address in Owlat. \"owlat-sync run --full\" sets it right.",
	ledger.CategoryTopic:                           "Owlat does not have the topic. Correct its id in the configuration, or make the topic in Owlat.",
	ledger.CategoryUnsure:                          "Look in Owlat whether the contact is on the topic. If you are sure, \"owlat-sync topic add\" adds it.",
	ledger.CategoryUnconfirmed:                     "The person can confirm on Owlat's preference page, or somebody does it in Owlat's dashboard.",
	ledger.CategoryNeverMail:                       "Owlat could not be told that no mail may go to the person. \"owlat-sync check\" tells whether the unsubscribe secret is wrong or the deployment does not answer; a later run tells it, and until then no run puts them on a topic.",
	ledger.CategoryEvent:                           "Look in Owlat whether the event arrived. It is not sent again, so that its automations run once.",
	ledger.CategoryLedger:                          "Look whether the records of owlat-sync (the ledger) can be written: its disk may be full, or its server away.",
	ledger.CategorySource:                          "Correct the row in the source. The next run takes it up.",
	ledger.Category(owlat.CategoryRateLimited):     "Something else uses the API key. Give it a key of its own, or set requests_per_second in the configuration.",
	ledger.Category(owlat.CategoryInvalidInput):    "Owlat refuses the row as it is. Correct it in the source; if it looks right, try it again.",
	ledger.Category(owlat.CategoryLimitReached):    "The plan of the deployment allows no more contacts. Look at it in Owlat's settings, or narrow the query.",
	ledger.Category(owlat.CategoryUnauthenticated): "The API key is wrong or revoked. Make one in Owlat's settings, and put it into the configuration.",
	ledger.Category(owlat.CategoryForbidden):       "The API key lacks a scope. \"owlat-sync check\" names it.",
	ledger.Category(owlat.CategoryInternal):        "Nothing, if it passes: later runs try the row again. If it stays, look at the deployment.",
}
