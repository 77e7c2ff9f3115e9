"""`make bench`: this chat beside what people would use instead, under the same loads."""
