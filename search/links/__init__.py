"""Query pictures fetched by their link: what a link may name, which addresses may be asked, and the fetching itself."""
