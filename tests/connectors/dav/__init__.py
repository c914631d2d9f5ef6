"""The DAV connector by itself: values, answers of every sort, and what is made of them."""
