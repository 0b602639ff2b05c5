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
	return DSN{KindMongo, &parts{text: name + ":" + rest, shown: a.show(name), database: a.path}}, nil
}

// MongoURI returns the DSN for package source/mongo, password included.
func (d DSN) MongoURI() string {
	if d.kind != KindMongo {
		return ""
	}
	return d.text
}

// Database returns the database of a MongoDB source, empty if the DSN names none.
func (d DSN) Database() string {
	if d.kind != KindMongo {
		return ""
	}
	return d.database
}
