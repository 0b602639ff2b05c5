package sourcedsn

import "errors"

// parseMongo reads mongodb:// and mongodb+srv://. The driver interprets the options.
func parseMongo(name, rest string) (DSN, error) {
	a, err := splitURL(rest)
	if err != nil {
		return DSN{}, err
	}
	if !a.hostGiven {
		return DSN{}, errors.New("read the DSN: mongodb:// needs a host, as in mongodb://127.0.0.1:27017/shop")
	}
	return DSN{KindMongo, &parts{text: name + ":" + rest, shown: a.show(name)}}, nil
}

// MongoURI returns the DSN for [mongo.Collection], password included.
func (d DSN) MongoURI() string {
	if d.kind != KindMongo {
		return ""
	}
	return d.text
}
