"""One row and twenty rows as JSON, in Django."""

from django.core.wsgi import get_wsgi_application
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from models import Post


def data(post: Post) -> dict[str, object]:
    return {"id": post.pk, **model_to_dict(post)}


def root(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def one(request: HttpRequest, number: int) -> HttpResponse:
    return JsonResponse(data(get_object_or_404(Post, pk=number)))


def twenty(request: HttpRequest) -> HttpResponse:
    posts = Post.objects.filter(published=True).order_by("id")[:20]
    return JsonResponse([data(post) for post in posts], safe=False)


urlpatterns = [path("", root), path("posts/<int:number>", one), path("posts", twenty)]
app = get_wsgi_application()
