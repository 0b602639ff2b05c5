package owlattest

import "time"

type topicRef struct{ id, name string }

type hookTable struct{}

func (h *hookTable) clear() {}

func (s *Server) fireCreated(c *contact, typed string, now time.Time) {}

func (s *Server) fireUnsubscribed(c *contact, left []topicRef, now time.Time) {}
