"""The dashboard in the browser: a Bokeh server for runs that go on and runs that are finished.

It needs the extra ``dashboard``; nothing of Bokeh is imported before somebody asks for the server.
"""
