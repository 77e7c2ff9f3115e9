"""`make bench`: measure this chat and alternative servers under the same loads."""
