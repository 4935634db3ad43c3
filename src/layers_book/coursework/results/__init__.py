"""From records to what people read.

`grades` puts a record, the points by hand and the late penalty together; `feedback`
makes a page a student of it, `export` the grade files, `statistics` a report by
question; `similarity` compares the answers. `pages` renders, so that nothing in a page
acts.
"""
